"""The catalogue of event types: titles, sentences, field paths and JSON Schemas, in files that an operator keeps.

- `entries`: what a file says about a type, besides its schema.
- `schemas`: compiles schemas, and explains in which way an event does not conform.
- `catalogue`: all types of a folder, and the check of an event against its type.
- `reading`: builds a catalogue from the content of the files.

Pure functions over the content of files; `core.stores.catalogue_folder` reads them.
"""

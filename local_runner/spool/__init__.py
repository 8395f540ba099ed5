"""The spool: what the in-memory queue has accepted, on disk until it is stored or in the dead letters.

`records` is the format, `files` what is asked of the file system, `segment` one file, `slot` the directory of one
process, `recovery` what a start finds there, and `spool` what the queue sees of all that.
"""

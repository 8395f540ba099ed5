"""The in-memory queue with the semantics of SQS, the consumer of any queue, and the file of dead letters.

Modules: `memory` is the queue, `in_flight` its messages between receive and delete, and `stats` its figures; `consumer`
takes batches from a queue or broker, `dead_letters` keeps the messages that failed too often, and `accounting` counts
accepted events. `group_commit` writes the events of one turn of the event loop together. `storing_process` gives
batches to a child process, `storing_main` is that process, and `storing_channel` the socket between them.
`process_memory` tunes collector and allocator.
"""

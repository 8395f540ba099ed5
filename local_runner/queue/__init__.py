"""Queues with the semantics of SQS, the consumer of any queue, and the file of dead letters.

Modules: `visibility` has what becomes of received messages; `spooled` is the queue of `audit-log serve`, whose events
are in the spool, and `memory` the one with bodies in memory. `in_flight` has their entries between receive and delete,
and `stats` their figures. `consumer` takes batches from a queue or broker through `deliveries`, `dead_letters` keeps
the messages that failed too often, and `accounting` counts accepted events. `group_commit` writes the events of one
turn of the event loop together. `storing_process` gives batches to a child process, `storing_main` is that process, and
`storing_channel` the socket between them and `heartbeat` its signs of life. `process_memory` tunes collector and
allocator.
"""

"""The spool: a durable log of accepted events, from before their 202 until each is stored or dead-lettered.

An event is appended before its 202 leaves, and acknowledged after the store, or the file of dead letters, has committed
it. A process that starts replays the events that earlier ones left pending, that is, not acknowledged.

Glossary
    Sequence number: 64 bits that name one event in the spool. The upper 16 are its slot's number, the lower 48 rise by
        one with each event of the slot, across restarts, from 1 on.
    Slot: a directory below the spool that one process at a time locks and appends to. There are several because several
        processes may share a data directory: `audit-log serve` and `chalice local`, or a process that still drains and
        its successor. A process takes the lowest slot that no live process holds, or makes the next one. The kernel
        releases the lock of a process that dies. A process that starts also adopts every other free slot with pending
        events: it replays and acknowledges them, and appends to its own slot only.
    Segment: a file of records with consecutive numbers. One segment of a slot is active: it takes new records.
    Record: one event in a segment.
    Acknowledgement: a range of numbers that need no replay, in a second file of the segment.

Layout of the directory
    spool/0/                                slot 0
      lock                                  locked (flock) by the process that holds the slot
      names                                 what its events are counted under: lines of name and place, newest first
      00000000000000000001.log              a segment, named by the number of its first record, 20 digits
      00000000000000000001.settled          its acknowledgements, if there are any
      00000000000000004711.log              the active segment: the last one
      *.tmp                                 a segment that is being created; renamed when it has its content
    spool/1/                                slot 1, once two processes ran at a time
    spool/corrupt/                          copies of damaged stretches: SLOT-FILE-log-at-POSITION

Layout of the files (integers are unsigned and big-endian)
    segment          header, then any number of records
    header           the line `audit-log spool 1 CRC`: version, and CRC-32 of `audit-log spool 1` in 8 hex digits
    record           offset  size
                          0     4  magic number FF 41 4C FF
                          4     4  CRC-32 of the rest of the record
                          8     4  length of the payload in bytes
                         12     8  sequence number
                         20     8  time of acceptance, Unix seconds, IEEE 754 double
                         28        payload: the event's JSON in UTF-8
    acknowledgements any number of
                          0     8  first sequence number
                          8     8  last sequence number, inclusive
                         16     4  CRC-32 of both

Invariants
    1. A record may not be lost, an acknowledgement may: its event is stored again, which its id makes harmless. So
       records are written before the 202, acknowledgements after the commit, and only records are synced.
    2. A segment is only appended to. It is removed, the records first, once it is closed and nothing in it is pending;
       acknowledgements without a segment are ignored.
    3. Every slot has a last segment, if only an empty one, so that the numbers continue. A number is never given twice,
       not even if its record was lost: its acknowledgement may be left.
    4. A segment ends where the next one begins. Records with the number of that name or above are older copies, left by
       a sync that failed, and do not count.
    5. A file whose sync failed is never synced again, since a second sync may succeed although the data is lost. Its
       unsynced records are refused (mode `disk`) or written into another segment (mode `process`).
    6. Damage costs the records in it, and no others: reading continues at the next intact record. Damaged bytes are
       copied to `corrupt` before anything else happens to the file.
    7. A segment of an unknown version stops the start, before any file is changed.

Modules: `records` encodes and decodes, `files` does the system calls, `segment` is one file, `segment_list` those of a
slot, `names` has what a slot is counted under, `slot` appends and syncs, `extents` reads records in their places,
`recovery` and `replay` read what earlier processes left, `claim` takes the slots of a process, `disk_spool` joins them,
and `spool` is the interface to the queue.
"""

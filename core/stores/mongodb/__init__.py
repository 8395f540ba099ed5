"""Event store in MongoDB, without transactions: docs/decisions/0064 says how each promise is kept, and which are not.

| collection | one document for each | `_id` |
|---|---|---|
| `events` | event | its id |
| `counters` | hour and source of event counters, see `event_counters` | text |
| `clients` | API client, with the audit events of its changes until these are stored | its id |
| `retention` | database: `rules`, and `purge` while events are being deleted | one of these two names |
| `schema` | database: the revision of its indexes | `revision` |
"""

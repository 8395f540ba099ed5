"""Sign-in of people to the log viewer: `/session/...`.

A session is a cookie that scripts cannot read. It authorizes nothing but `POST /session/token`, where the page
exchanges it for a bearer token of some minutes, and `POST /session/sign-out`. All other routes
take bearer tokens only.
"""

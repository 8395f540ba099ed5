"""HTTP/1.1 server side: from the bytes of a connection to a handler's response."""

"""The HTML pages: API documentation and log viewer."""

"""HTTP for the handlers: requests, responses, problems and the checks that all routes share."""

"""Threads that work besides those of requests and of the queue."""

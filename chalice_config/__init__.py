"""The Chalice project. Chalice imports app.py by itself; this makes it visible to the checkers as well."""

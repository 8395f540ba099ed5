"""The emulator: API Gateway, Lambda, a queue and a consumer in one process, for one machine."""

"""AWS adapters other than the queue. boto3, which is part of Lambda's runtime, is imported at first use."""

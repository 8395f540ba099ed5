"""What Lambda needs of AWS beside the queue. boto3 is in Lambda's own runtime, and is imported at its first use."""

"""What Lambda needs of AWS beside the queue. boto3 is in Lambda's own runtime; it is imported where it is first used."""

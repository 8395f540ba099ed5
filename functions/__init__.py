"""AWS Lambda handlers: an API Gateway proxy event or an SQS event in, a response out, and nothing else."""

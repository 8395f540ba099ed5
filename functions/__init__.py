"""AWS Lambda handlers: each turns an API Gateway proxy event or an SQS event into a response."""

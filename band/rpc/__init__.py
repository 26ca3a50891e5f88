"""gRPC: the KServe v2 service, the Band service, the client."""

"""The service: live video in, alerts out."""

"""Traces: scenarios, requests with arrival times, the frame tracker."""

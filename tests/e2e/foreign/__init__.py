"""Servers that know nothing of this repository; a ConfigMap brings them to a pod."""

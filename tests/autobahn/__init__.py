"""Autobahn's fuzzing client against both transports: how well they speak RFC 6455."""

// Package wheel turns a wheel (PEP 427) into the files that an installer would lay down, by the PyPA rules and nothing
// else: no Python, no pip, no base image. The result depends on the wheel's bytes, the Python version and Layout alone.
package wheel

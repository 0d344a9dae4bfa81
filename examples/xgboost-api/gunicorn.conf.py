"""One worker with threads: the model is in memory once, and prometheus_client counts in one process. More CPUs are more containers."""

bind = ["0.0.0.0:8000", "0.0.0.0:9090"]
workers = 1
threads = 4
graceful_timeout = 20  # seconds that requests have after SIGTERM; the runtime's own must be longer
worker_tmp_dir = "/dev/shm"  # the heartbeat file: on a disk it blocks the worker
control_socket_disable = True  # nobody manages the server from inside, and the home directory may be read-only

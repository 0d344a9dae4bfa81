# Installs the packages given as arguments and leaves nothing of apt behind but the packages: no list, no archive, no log, no cache that the next run
# would write differently. What it wrote gets one fixed time.
touch /tmp/.mlbuild-start
if [ -n "${MLBUILD_DEBCONF-}" ]; then
  printf '%s\n' "$MLBUILD_DEBCONF" | debconf-set-selections
fi
apt-get update
apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"

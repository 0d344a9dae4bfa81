# Installs the packages given as arguments and leaves nothing of apt behind but the packages: no list, no archive, no log, no cache that the next run
# would write differently. What it wrote gets one fixed time.
touch /tmp/.mlbuild-start
apt-get update
apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache \
  /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/lib/apt/extended_states
find / -xdev -newer /tmp/.mlbuild-start ! -type l -exec touch -d @0 {} + 2>/dev/null || true

rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache \
  /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/lib/apt/extended_states
find / -xdev -newer /tmp/.mlbuild-start ! -type l -exec touch -d @0 {} + 2>/dev/null || true

# Makes a mount namespace a place of its own, and keeps it until stdin ends: $1 is a directory for data, and whatever
# clients write to /etc, /run, /dev/shm and /var/lib besides goes with it.
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs "$1"
mkdir "$1/etc" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/etc,workdir=$1/work" /etc
echo ready
exec cat

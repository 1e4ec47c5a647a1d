# Sourced: how each architecture's virtual machine is called and what its
# consoles are. The first serial port is the kernel's console; the second
# carries results, so that no kernel message lands in the middle of one.
# shellcheck shell=bash disable=SC2034
case $ARCH in
x86_64)
	QEMU=qemu-system-x86_64
	MACHINE=(-M "pc" -cpu max)
	# Emulation takes longer for five levels of page tables than for four, and
	# copies a byte at a time where ERMS says that this is fast.
	TCG_CPU=max,-la57,-erms
	CONSOLE=ttyS0 RESULTS=ttyS1 DISK=virtio-blk-pci
	HOST_CPU=x86_64
	# the timer is checked against the host's clock: a busy host fails it
	KARGS=no_timer_check
	;;
i386)
	QEMU=qemu-system-i386
	MACHINE=(-M "pc" -cpu max)
	TCG_CPU=max,-erms
	CONSOLE=ttyS0 RESULTS=ttyS1 DISK=virtio-blk-pci
	HOST_CPU=x86_64
	KARGS=no_timer_check
	;;
*)
	die "there is no virtual machine for ARCH=$ARCH yet; vm/machine.sh is where it goes."
	;;
esac

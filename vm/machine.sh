# Sourced: how each architecture's virtual machine is called and what its
# consoles are. The first serial port is the kernel's console; the second
# carries results, so that no kernel message lands in the middle of one.
# shellcheck shell=bash disable=SC2034
case $ARCH in
x86_64)
	QEMU=qemu-system-x86_64
	MACHINE=(-M "pc" -cpu max)
	CONSOLE=ttyS0 RESULTS=ttyS1 DISK=virtio-blk-pci
	HOST_CPU=x86_64
	;;
i386)
	QEMU=qemu-system-i386
	MACHINE=(-M "pc" -cpu max)
	CONSOLE=ttyS0 RESULTS=ttyS1 DISK=virtio-blk-pci
	HOST_CPU=x86_64
	;;
*)
	die "there is no virtual machine for ARCH=$ARCH yet; vm/machine.sh is where it goes."
	;;
esac

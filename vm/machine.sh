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
	# The timer is checked against the host's clock: a busy host fails it.
	# The PM timer is where SeaBIOS puts it; without ACPI nothing says so. It
	# need not watch the TSC.
	KARGS="no_timer_check pmtmr=0x608 tsc=reliable"
	# instructions are nanoseconds, and measuring that is not quite exact
	ICOUNT_KARGS="tsc_early_khz=1000000"
	;;
i386)
	QEMU=qemu-system-i386
	MACHINE=(-M "pc" -cpu max)
	TCG_CPU=max,-erms
	CONSOLE=ttyS0 RESULTS=ttyS1 DISK=virtio-blk-pci
	HOST_CPU=x86_64
	KARGS=no_timer_check ICOUNT_KARGS=
	;;
*)
	die "there is no virtual machine for ARCH=$ARCH yet; vm/machine.sh is where it goes."
	;;
esac

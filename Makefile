# Everything that can be done here. Each target sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# targets share build/: one at a time, parallel inside
.NOTPARALLEL:
export ARCH CROSS_COMPILE LLVM CC HOSTCC JOBS KERNEL_SRC BASE_VERSION CONFIG PEER T DEMO
ifeq ($(origin CC),default)
unexport CC
endif

.PHONY: help tree series check-series kernel run shell test test-ci mutants rootfs bench deb clean
help: ## this list
	@echo "make ..."
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  %-14s %s\n", $$1, $$2 }' Makefile
	@echo "variables: JOBS=n CC='ccache gcc' CROSS_COMPILE= ARCH= ACCEL=kvm|tcg;"
	@echo "  KERNEL_SRC=dir or BASE_VERSION=version: another 6.12.y under the series"

tree: ## build/linux: the base with the series on it, one commit per patch
	@tree/tree.sh
series: ## write the commits of build/linux back to series/, and render them
	@tree/write-back.sh
check-series: ## do patches, renderings and build/linux agree?
	@tree/check.sh
kernel: ## build the patched kernel, small configuration
	@tree/build.sh main
run: ## boot it: more data than memory, and no swap device; DEMO=devices: on each kind
	@vm/run.sh
shell: ## a prompt inside the VM, swap devices at hand
	@vm/run.sh shell
test: ## every test; T=pattern: those whose name matches
	@test/run.sh
test-ci: ## debug kernel, other configurations, every patch by itself
	@test/ci.sh
mutants: ## do the tests of races notice when a protection is missing?
	@test/mutants.sh
rootfs: ## a Debian root file system for the VM
	@vm/rootfs.sh
bench: ## instructions per page, next to the base; PEER=dir: and another kernel
	@bench/run.sh
deb: ## Debian packages for a real machine; CONFIG=file or the running kernel's
	@tree/deb.sh
clean: ## remove what was built; downloads and build/linux stay
	@rm -rf build/obj-* build/tmp build/test* build/rootfs* build/accel

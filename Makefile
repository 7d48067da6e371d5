# SPDX-License-Identifier: GPL-2.0
#
# Targets for people; the objects of the module are in Kbuild, and what a
# target does beyond calling make is in scripts/.

VERSION := $(shell sed -n 's/^.define CTK_VERSION "\(.*\)"/\1/p' kmod/version.h)

# The running kernel's headers, else those of the kernel that VMs boot.
running := /lib/modules/$(shell uname -r)/build
of_vms = /lib/modules/$(shell scripts/vm --print-kernel)/build
KDIR ?= $(or $(wildcard $(running)),$(wildcard $(of_vms)))

PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DKMSDIR ?= /usr/src/ctk-$(VERSION)

.PHONY: all
all: modules user

# What is up to date is known below, so these are always asked.
.PHONY: modules user selftests
modules:
	@test -n "$(KDIR)" || { echo "no kernel headers here:" \
		"run scripts/install-deps build, or give KDIR=" >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
	@test "$(KDIR)" = "$(running)" || \
		echo "ctk.ko is built for $(KDIR), not for the running kernel"

user:
	$(MAKE) -C user

selftests:
	$(MAKE) -C selftests KDIR=$(KDIR)

.PHONY: demo check check-all matrix sanitize style bench deb
demo check check-all matrix sanitize style bench deb:
	scripts/$@ $(ARGS)

.PHONY: install install-modules install-user
install: install-modules install-user

install-modules: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) \
		modules_install

install-user: user
	install -D -m 755 user/ctkstat $(DESTDIR)$(BINDIR)/ctkstat
	install -D -m 644 doc/ctkstat.8 $(DESTDIR)$(MANDIR)/man8/ctkstat.8

# With DESTDIR only the sources are laid down, for a package to register.
.PHONY: dkms
dkms:
	install -d $(DESTDIR)$(DKMSDIR)/kmod/uapi/linux
	install -m 644 Kbuild COPYING $(DESTDIR)$(DKMSDIR)
	install -m 644 kmod/*.[ch] $(DESTDIR)$(DKMSDIR)/kmod
	install -m 644 kmod/uapi/linux/ctk.h \
		$(DESTDIR)$(DKMSDIR)/kmod/uapi/linux
	sed 's/#MODULE_VERSION#/$(VERSION)/' packaging/dkms.conf \
		>$(DESTDIR)$(DKMSDIR)/dkms.conf
	test -n "$(DESTDIR)" || dkms install ctk/$(VERSION)

.PHONY: clean
clean:
	$(if $(KDIR),$(MAKE) -C $(KDIR) M=$(CURDIR) clean)
	$(MAKE) -C user clean
	$(MAKE) -C selftests clean

.PHONY: help
help:
	@echo 'make            build ctk.ko and user/ctkstat'
	@echo '                for the running kernel, or that of KDIR='
	@echo 'make demo       in a VM, a conntrack table fills up and ctk tells'
	@echo 'make check      every test, in VMs'
	@echo 'make matrix     the same tests on kernels from 5.10 to the newest'
	@echo 'make sanitize   the tests in small, on a kernel with KASAN, lockdep'
	@echo '                and others, which is built at the first time'
	@echo 'make check-all  all of these three, whole: hours without KVM'
	@echo 'make style      the checkers alone'
	@echo 'make bench      what ctk costs, in VMs'
	@echo 'make selftests  build what the tests need'
	@echo 'make install    ctk.ko and ctkstat onto this machine'
	@echo 'make dkms       ctk.ko, built anew with each kernel'
	@echo 'make deb        Debian packages, into build/deb'
	@echo 'make clean      remove what was built'

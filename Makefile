# SPDX-License-Identifier: GPL-2.0-or-later
#
# One make, no recursion.  Each folder's Kbuild adds its objects to an archive:
#
#	kernel-$(CONFIG_ENCODED) += kernel/encoded.o
#
#	make [O=DIR] [V=1] [CC=clang] [SAN=address,undefined|thread]
#	make menuconfig | defconfig | olddefconfig | allnoconfig
#	make check | check-vm | install [DESTDIR=] [PREFIX=/usr/local]

VERSION	:= 0.1.0
SONAME	:= libcopy_range.so.0

O	?= build
PREFIX	?= /usr/local
BINDIR	?= $(PREFIX)/bin
SBINDIR	?= $(PREFIX)/sbin
LIBDIR	?= $(PREFIX)/lib
INCDIR	?= $(PREFIX)/include
MANDIR	?= $(PREFIX)/share/man
BASHDIR	?= $(PREFIX)/share/bash-completion/completions
ZSHDIR	?= $(PREFIX)/share/zsh/site-functions
FISHDIR	?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR	?= $(PREFIX)/lib/systemd/system

ifeq ($(origin CC),default)
CC	:= gcc
endif
AR	?= ar
LD	?= ld
OBJCOPY	?= objcopy
PKG_CONFIG ?= pkg-config

ifeq ($(V),1)
quiet	=
else
quiet	= @printf '  %-8s%s\n' '$(1)' '$(patsubst $(O)/%,%,$@)';
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all programs tests lib
all: programs lib

# Configuration --------------------------------------------------------------

# kconfig-frontends writes into its current folder, so it runs inside $(O).
KCONFIGS := Kconfig $(wildcard */Kconfig)
autoconf  = $(O)/include/config/auto.conf
kconfig	  = mkdir -p $(O)/include/config $(O)/include/generated && cd $(O) && \
	    srctree=$(CURDIR) kconfig-$(1) Kconfig

configs	 := menuconfig defconfig olddefconfig allnoconfig
.PHONY: $(configs)
menuconfig: $(O)/.config
	@$(call kconfig,mconf)
defconfig:
	@$(call kconfig,conf --alldefconfig) >/dev/null
olddefconfig:
	@$(call kconfig,conf --olddefconfig) >/dev/null
allnoconfig:
	@$(call kconfig,conf --allnoconfig) >/dev/null

$(O)/.config:
	@$(call kconfig,conf --alldefconfig) >/dev/null
$(autoconf): $(O)/.config $(KCONFIGS)
	@$(call kconfig,conf --olddefconfig) >/dev/null
	@$(call kconfig,conf --silentoldconfig) >/dev/null </dev/null
	@touch $@

goals := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out $(configs) clean distclean help,$(goals)),)
-include $(autoconf)
endif

# Flags ----------------------------------------------------------------------

WARN	:= -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	   -Wpointer-arith -Wvla -Wundef -Wno-unused-parameter
CFLAGS	?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DCR_VERSION='"$(VERSION)"' \
	   -include $(O)/include/generated/autoconf.h -Iinclude -I. -fPIC -fvisibility=hidden \
	   -fno-strict-aliasing -pthread -MMD -MP $(WARN) $(CFLAGS)
ALL_LDFLAGS = -pthread $(LDFLAGS)

ifneq ($(SAN),)
ALL_CFLAGS  += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
ALL_LDFLAGS += -fsanitize=$(SAN)
endif

libs-$(CONFIG_STREAM_URING) += liburing
libs-$(CONFIG_CODEC_ZLIB)   += libdeflate
libs-$(CONFIG_CODEC_ZSTD)   += libzstd
mpi_cflags = $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags ompi-c))
aio-$(CONFIG_STREAM_AIO)    += -laio
lzo-$(CONFIG_CODEC_LZO)     += -llzo2
xxh-$(CONFIG_OCP_VERIFY)    += -lxxhash
state-$(CONFIG_OCP_TARGET_STATE) += -lsqlite3
ifneq ($(strip $(libs-y)),)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(libs-y))
endif
EXT_LIBS := $(PKG_LIBS) $(aio-y) $(lzo-y)

# Objects --------------------------------------------------------------------
# Archives in the order in which calls run; programs link them in this order and
# without groups, so that a call upwards does not link.

ARCHIVES := target engine ofs mpi ocp send receive stream run preload served nfsd common kernel fs initiator proto lib
include $(wildcard kernel/Kbuild fs/Kbuild fs/*/Kbuild lib/Kbuild lib/*/Kbuild \
	   nfsd/Kbuild scsi/*/Kbuild userspace/Kbuild userspace/*/Kbuild selftests/Kbuild bench/Kbuild)

archive	= $(O)/$(1).a
core_archives := $(foreach a,kernel fs initiator proto lib,$(call archive,$(a)))

define archive_rule
$(call archive,$(1)): $(addprefix $(O)/,$(sort $($(1)-y)))
endef
$(foreach a,$(ARCHIVES),$(eval $(call archive_rule,$(a))))

$(O)/%.a:
	@mkdir -p $(@D)
	$(call quiet,AR) rm -f $@; $(AR) rcsT $@ $^

$(O)/%.o: %.c $(autoconf) Makefile
	@mkdir -p $(@D)
	$(call quiet,CC) $(CC) $(ALL_CFLAGS) $($(<:.c=)-cflags) -c -o $@ $<

-include $(patsubst %.o,$(O)/%.d,$(sort $(foreach a,$(ARCHIVES),$($(a)-y)) $(test-objs)))

# Library --------------------------------------------------------------------

lib: $(O)/$(SONAME) $(O)/libcopy_range.a $(O)/copy_range.pc

core_objs = $(addprefix $(O)/,$(sort $(kernel-y) $(fs-y) $(initiator-y) $(proto-y) $(lib-y)))

$(O)/$(SONAME): $(core_objs) lib/libcopy_range.map
	$(call quiet,LD) $(CC) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs \
		-Wl,--version-script=lib/libcopy_range.map -o $@ $(core_objs) $(ALL_LDFLAGS) $(EXT_LIBS)
ifneq ($(SAN),)
# A sanitizer's runtime lives in the program, so its symbols stay open here.
$(O)/$(SONAME): ALL_LDFLAGS += -Wl,-z,undefs
endif

# One object with every hidden symbol made local: a static archive that cannot
# clash with a program's own names.
$(O)/libcopy_range.a: $(core_objs)
	$(call quiet,AR) $(LD) -r -o $(O)/copy_range.o $(core_objs) && \
		$(OBJCOPY) --localize-hidden $(O)/copy_range.o && \
		rm -f $@ && $(AR) rcs $@ $(O)/copy_range.o

$(O)/copy_range.pc: lib/copy_range.pc.in Makefile $(autoconf)
	$(call quiet,GEN) sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCDIR@|$(INCDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@PRIVATE@|$(EXT_LIBS) -pthread|' $< > $@

# Programs -------------------------------------------------------------------

programs-$(CONFIG_OCP) += ocp
programs-$(CONFIG_MPI) += ocp-mpi
programs-$(CONFIG_OCP_SEND) += ocp-send
programs-$(CONFIG_OCP_RECEIVE) += ocp-receive
programs-$(CONFIG_OCP_RUN) += ocp-run
programs-$(CONFIG_OFS) += ocp-mount
programs-$(CONFIG_NFSD) += ocp-nfsd
units-$(CONFIG_OFS) += userspace/ofs/ocp-mount@.service.in
helpers-$(CONFIG_OFS) += mount.fuse.ofs
units-$(CONFIG_NFSD) += nfsd/ocp-nfsd.service.in nfsd/ocp-nfsd.socket.in
programs-$(CONFIG_OCP_TARGET) += ocp-target
units-$(CONFIG_OCP_TARGET) += scsi/target/ocp-target.service.in
programs: $(addprefix $(O)/,$(programs-y))

# program_rule NAME, its archives above the core, libraries of its own
define program_rule
$(O)/$(1): $(foreach a,$(2),$(call archive,$(a))) $(core_archives)
	$$(call quiet,LD) $(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $(3) $$(EXT_LIBS)
endef
$(eval $(call program_rule,ocp,ocp common,$$(xxh-y)))
$(eval $(call program_rule,ocp-mpi,mpi ocp common,$$(shell $(PKG_CONFIG) --libs ompi-c) $$(xxh-y)))
$(eval $(call program_rule,ocp-send,send stream common))
$(eval $(call program_rule,ocp-receive,receive stream common))
$(eval $(call program_rule,ocp-run,run served common,$$(shell $(PKG_CONFIG) --libs libseccomp)))
$(eval $(call program_rule,ocp-mount,ofs,$$(shell $(PKG_CONFIG) --libs fuse3)))
$(eval $(call program_rule,ocp-nfsd,nfsd,-lsqlite3 $$(shell $(PKG_CONFIG) --libs libseccomp)))
$(eval $(call program_rule,ocp-target,target engine,$$(state-y)))

# The core, in a library that is loaded into other people's programs: its names
# are hidden, those of the codecs too, and its ioctl(2) is the one behind ours.
# libaio's archive cannot go into a library.
PRELOAD_LIBS ?= -Wl,-Bstatic $(PKG_LIBS) $(lzo-y) -Wl,-Bdynamic $(aio-y)
preloads-$(CONFIG_PRELOAD) += $(O)/libocp-preload.so
lib: $(preloads-y)

$(O)/preload_core.o: $(core_objs) $(addprefix $(O)/,$(served-y))
	$(call quiet,LD) $(LD) -r -o $@ $^ && $(OBJCOPY) --redefine-sym ioctl=next_ioctl $@

$(O)/libocp-preload.so: $(addprefix $(O)/,$(preload-y)) $(O)/preload_core.o userspace/preload/preload.map
	$(call quiet,LD) $(CC) -shared -Wl,-soname,libocp-preload.so -Wl,-z,defs -Wl,--exclude-libs,ALL \
		-Wl,--version-script=userspace/preload/preload.map -o $@ $(filter %.o,$^) \
		$(ALL_LDFLAGS) $(PRELOAD_LIBS)
ifneq ($(SAN),)
$(O)/libocp-preload.so: ALL_LDFLAGS += -Wl,-z,undefs
endif

# Tests ----------------------------------------------------------------------
# make check [TESTS="core/foo ocp/bar.sh"] [RUNFLAGS="-j 4 -v"]; KSELFTEST= names
# another folder with kselftest_harness.h, such as the kernel's.

KSELFTEST ?= selftests
ifeq ($(SAN),)
TESTS	?= $(tests-y) $(test-scripts)
else
TESTS	?= $(tests-y) $(filter-out $(plain-scripts),$(test-scripts))
endif
tests_wanted = $(foreach t,$(patsubst selftests/%,%,$(TESTS)), \
	       $(if $(filter %.sh,$(t)),selftests/$(t),$(O)/selftests/$(t)))
test_archives = $(foreach a,$(if $(filter undefined,$(origin $(1)-archives)), \
		kernel fs initiator proto lib,$($(1)-archives)),$(call archive,$(a)))

define test_rule
$(O)/$(1): $(O)/$(1).o $(addprefix $(O)/,$($(1)-objs) selftests/fixture.o) $(call test_archives,$(1))
	$$(call quiet,LD) $(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $$(EXT_LIBS) $($(1)-libs)
endef
$(foreach t,$(test-programs),$(eval $(call test_rule,$(t))))

$(O)/selftests/%.o: ALL_CFLAGS += -I$(KSELFTEST) -Iselftests

# wanted-tests and threaded-tests: what check and check-threaded need, and no more.
.PHONY: check check-threaded check-vm wanted-tests threaded-tests
tests: $(addprefix $(O)/,$(test-programs))
wanted-tests: all $(filter $(O)/%,$(tests_wanted)) $(addprefix $(O)/,$(test-helpers-y))
threaded-tests: all $(addprefix $(O)/,$(filter-out %.sh,$(threaded-y)) $(test-helpers-y))
check: wanted-tests
check-threaded: threaded-tests
check-threaded: TESTS = $(threaded-y)
check check-threaded:
	@O=$(abspath $(O)) selftests/run $(RUNFLAGS) $(tests_wanted)

# Guest kernels of their own, see selftests/vm/README.
check-vm: all tests
	@O=$(abspath $(O)) selftests/run -t 1500 $(RUNFLAGS) $(vm-tests)

# Install --------------------------------------------------------------------

.PHONY: install clean distclean help
install: all
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCDIR) $(DESTDIR)$(BINDIR) \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man7 \
		$(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	install -m 644 include/copy_range.h $(DESTDIR)$(INCDIR)/
	install -m 755 $(O)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(SONAME).$(VERSION)
	ln -sf $(SONAME).$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libcopy_range.so
	install -m 644 $(O)/libcopy_range.a $(DESTDIR)$(LIBDIR)/
	install -m 644 $(O)/copy_range.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	set -e; for l in $(preloads-y); do install -m 755 "$$l" $(DESTDIR)$(LIBDIR)/; done
	set -e; for p in $(addprefix $(O)/,$(programs-y)); do install -m 755 "$$p" $(DESTDIR)$(BINDIR)/; done
	set -e; for h in $(helpers-y); do install -d $(DESTDIR)$(SBINDIR); \
		ln -sf $(BINDIR)/ocp-mount $(DESTDIR)$(SBINDIR)/$$h; \
		ln -sf ocp-mount.8 $(DESTDIR)$(MANDIR)/man8/$$h.8; done
	set -e; for m in $(wildcard man/*.1); do install -m 644 "$$m" $(DESTDIR)$(MANDIR)/man1/; done
	set -e; for m in $(wildcard man/*.7); do install -m 644 "$$m" $(DESTDIR)$(MANDIR)/man7/; done
	set -e; for m in $(wildcard man/*.8); do install -m 644 "$$m" $(DESTDIR)$(MANDIR)/man8/; done
	set -e; for m in $(wildcard man/*.3); do install -m 644 "$$m" $(DESTDIR)$(MANDIR)/man3/; \
		for n in $$(sed -n '/^.Sh NAME/,/^.Nd/s/^.Nm \([a-z_]*\).*/\1/p' "$$m"); do \
			[ -e $(DESTDIR)$(MANDIR)/man3/$$n.3 ] || \
				ln -s "$$(basename "$$m")" $(DESTDIR)$(MANDIR)/man3/$$n.3; done; done
	set -e; for c in $(wildcard completions/*.bash); do \
		install -m 644 "$$c" $(DESTDIR)$(BASHDIR)/$$(basename "$$c" .bash); done
	set -e; for u in $(units-y); do install -d $(DESTDIR)$(UNITDIR); \
		sed 's|@BINDIR@|$(BINDIR)|' $$u >$(DESTDIR)$(UNITDIR)/$$(basename $$u .in); done
	set -e; for c in $(wildcard completions/*.fish); do install -d $(DESTDIR)$(FISHDIR); \
		install -m 644 "$$c" $(DESTDIR)$(FISHDIR)/; done
	set -e; for c in $(wildcard completions/_*); do install -m 644 "$$c" $(DESTDIR)$(ZSHDIR)/; done

clean:
	rm -rf $(O)
distclean: clean
help:
	@sed -n '3,11s/^# \{0,1\}//p' Makefile

# SPDX-License-Identifier: BSD-2-Clause
# Weir: one non-recursive Makefile. `make help` lists the targets.

BUILD ?= build
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/sbin/bpftool) bpftool)
PREFIX ?= /usr
VERSION := $(shell sed -n 's/^\#\# \([0-9][^ ]*\).*/\1/p' CHANGELOG.md 2>/dev/null | head -n 1)
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' '$(1)' '$(2)')

PACKAGES := libbpf libfyaml jansson libuv libprotobuf-c libmnl
# Loaded when the controller starts, by the name that a program linked with it would have (user/base/late.h).
LATE_PACKAGES := libcurl libmicrohttpd
soname = $(shell readelf -d "$$($(CC) -print-file-name=$(1).so)" 2>/dev/null | sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
PACKAGE_FLAGS := $(shell pkg-config --cflags $(PACKAGES) $(LATE_PACKAGES)) \
	-DLATE_CURL='"$(call soname,libcurl)"' -DLATE_MHD='"$(call soname,libmicrohttpd)"'
CPPFLAGS += -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -I. -Iinclude -I$(BUILD) $(PACKAGE_FLAGS)
LDLIBS += $(shell pkg-config --libs $(PACKAGES))
, := ,
SANITIZE := $(if $(SAN),-fsanitize=address$(,)undefined -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_CFLAGS = -std=gnu11 -fno-strict-aliasing $(CFLAGS) $(WARNINGS) $(SANITIZE)

MODULES := base config feeds sets model compile kernel reconcile health telemetry control replay backendhost doctor controller
LIB_SOURCES := $(foreach m,$(MODULES),$(wildcard user/$(m)/*.c))
CLI_SOURCES := $(wildcard user/cli/*.c)
PROTOS := $(wildcard user/telemetry/*.proto)
PROTO_OBJECTS := $(PROTOS:%.proto=$(BUILD)/%.pb-c.o)
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o) $(PROTO_OBJECTS)
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/%.o)
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
SKELETONS := $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/%.skel.h)
BENCH_BPF := $(wildcard tests/bench/*.bpf.c)
BENCH_SOURCES := $(filter-out $(BENCH_BPF),$(wildcard tests/bench/*.c))
BENCH_SKELETONS := $(BENCH_BPF:tests/bench/%.bpf.c=$(BUILD)/%.skel.h)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
BPF_TEST_SOURCES := $(wildcard tests/bpf/*.c)
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
MAN_PAGES := $(patsubst docs/man/%.scd,$(BUILD)/man/%,$(wildcard docs/man/*.scd))

.PHONY: all help
all: $(BUILD)/weir $(BUILD)/flood man compile_commands.json ## build everything (the default)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: V=1 shows commands, SAN=1 builds with sanitizers, BUILD=DIR, CLANG=clang-N"

# --- BPF ---------------------------------------------------------------------------------------------------
# No strict aliasing: checksums read headers as words of other types than they were written as.
BPF_CFLAGS := -g -O2 -std=gnu11 -fno-strict-aliasing -target bpf -mcpu=v3 -Wall -Wextra -Werror -I. -Iinclude -idirafter /usr/include/$(shell $(CC) -dumpmachine)

$(BUILD)/%.bpf.o: bpf/%.bpf.c Makefile
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.bpf.o: tests/bench/%.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

.SECONDARY: $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/%.bpf.o) $(BENCH_BPF:tests/bench/%.bpf.c=$(BUILD)/%.bpf.o)

# --- user space --------------------------------------------------------------------------------------------
$(BUILD)/%.o: %.c | $(SKELETONS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.pb-c.c: %.proto
	$(call say,PROTO,$@)
	@mkdir -p $(@D)
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(@D) $<

$(BUILD)/%.pb-c.o: $(BUILD)/%.pb-c.c
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(CFLAGS) $(SANITIZE) -MMD -MP -c $< -o $@

# Generated headers must be there before the first file that may include them.
$(LIB_OBJECTS) $(CLI_OBJECTS): | $(PROTOS:%.proto=$(BUILD)/%.pb-c.c)

$(BUILD)/libweir.a: $(LIB_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar qcs $@ $^

$(BUILD)/weir: $(CLI_OBJECTS) $(BUILD)/libweir.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -lm -o $@

# The traffic generator of the lab.
$(BUILD)/flood: $(wildcard tests/lab/flood*.[ch]) | $(SKELETONS)
	$(call say,LD,$@)
	$(Q)$(if $(filter %.c,$^),$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -lm -o $@,true)

# The benchmark: scripts/bench.
$(BUILD)/bench: $(BENCH_SOURCES) $(BUILD)/libweir.a $(BENCH_SKELETONS) $(wildcard tests/bench/*.h) | $(SKELETONS)
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.c %.a,$^) $(LDLIBS) -lpthread -lm -o $@

.PHONY: bench
bench: ## measure what packets cost (root; see scripts/bench --help)
	@scripts/bench

# --- documentation -----------------------------------------------------------------------------------------
.PHONY: man
man: $(MAN_PAGES) ## build the man pages
$(BUILD)/man/%: docs/man/%.scd
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)scdoc < $< > $@.tmp && mv $@.tmp $@

# --- tests -------------------------------------------------------------------------------------------------
.PHONY: test unit bpf-test e2e fuzz fuzz-build fuzz-long steering-long sanitize
test: unit bpf-test e2e fuzz ## all tests (as root); `scripts/check` adds the set-up, lint and sanitizers

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/libweir.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP $(LDFLAGS) $< $(BUILD)/libweir.a $(LDLIBS) -lcmocka -lm -o $@

# What is found in databases is compared with what MaxMind's library says; nothing else is linked with it.
$(BUILD)/tests/unit/test_feeds_geoip_lookup: LDLIBS += -lmaxminddb

.PHONY: unit-build
unit-build: $(UNIT_TESTS)
unit: $(UNIT_TESTS) ## unit tests, no privilege needed
	@tests/run-units $(UNIT_TESTS)

$(BUILD)/tests/bpf/run: $(BPF_TEST_SOURCES) $(BUILD)/libweir.a $(wildcard tests/bpf/*.h)
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.c %.a,$^) $(LDLIBS) -lcmocka -lm -o $@

bpf-test: $(BUILD)/tests/bpf/run $(BUILD)/weir ## packets through the program (BPF_PROG_TEST_RUN; root)
	@tests/run-bpf $(BUILD)

e2e: all ## real traffic in the namespace lab (root)
	@tests/e2e/run

sanitize: ## unit tests under ASan and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/san SAN=1 unit

FUZZ_FLAGS := -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/oracle.c $(LIB_SOURCES) $(PROTOS:%.proto=$(BUILD)/%.pb-c.c) | $(SKELETONS)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) $< tests/fuzz/oracle.c $(LIB_SOURCES) $(PROTOS:%.proto=$(BUILD)/%.pb-c.c) $(LDLIBS) -lm -o $@

fuzz-build: $(FUZZERS)
fuzz: fuzz-build ## fuzz every parser for a short while (FUZZ_SECONDS=20 each)
	@tests/fuzz/run $(FUZZERS)
fuzz-long: $(BUILD)/tests/bpf/run ## 100,000,000 packets by chance against the rules read one by one (root; an hour or two)
	@WEIR_FILTER_PACKETS=100000000 $(BUILD)/tests/bpf/run filter-chance

steering-long: $(BUILD)/tests/unit/test_steering ## two weeks of a million flows while backends come and go (half an hour)
	@WEIR_STEERING_DAYS=14 WEIR_STEERING_FLOWS=1000000 $<

# --- kernels -----------------------------------------------------------------------------------------------
.PHONY: vm vm-short vm-build newest-clang
vm: vm-build newest-build ## the checks in guests of every kernel (vmtests/run --help)
	@vmtests/setup && BUILD=$(abspath $(BUILD)) vmtests/run $(VM_OPTIONS)
VM_SHORT := load load-newest-clang admit ipip-kernel l2 vlan too-big
vm-short: VM_OPTIONS := --kernel 6.1 --kernel newest $(VM_SHORT:%=--check %)
vm-short: vm ## a part of them, on 6.1 and the newest kernel alone, within ten minutes
vm-build: $(BUILD)/weir $(BUILD)/vmtests/verifier

# Beside the clang that is installed, the newest that Debian offers has to do.
NEWEST = $(MAKE) --no-print-directory BUILD=$(BUILD)/newest-clang
.PHONY: newest-build
newest-build:
	@vmtests/setup && if clang=$$(vmtests/compiler); then $(NEWEST) CLANG=$$clang vm-build; \
	else echo "newest clang: not to be had here; its check is skipped"; fi
newest-clang: newest-build ## build with the newest clang of Debian, and send packets through what it made (root)
	@if clang=$$(vmtests/compiler --offline); then $(NEWEST) CLANG=$$clang bpf-test; \
	else printf "SKIP newest-clang: not to be had here\n0 passed, 0 failed, 1 skipped\n"; fi

$(BUILD)/vmtests/verifier: vmtests/verifier.c $(SKELETONS)
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) $< -lbpf -o $@

# --- quality -----------------------------------------------------------------------------------------------
.PHONY: lint format format-check tidy cppcheck layers
C_FILES := $(wildcard bpf/*.[ch] maps/*.h include/weir/*.h user/*/*.[ch] tests/*/*.[ch] vmtests/*.c)
lint: layers format-check cppcheck tidy ## all static checks
layers: ## includes and sizes keep to the house rules
	@scripts/lint-layers
format: ## format the sources in place
	@clang-format -i $(C_FILES)
format-check: ## check the formatting
	@clang-format --dry-run --Werror $(C_FILES)
# It knows neither the cleanup attribute (memleak: the sanitizer run looks for those) nor jansson's loops.
CPPCHECK_KNOW := '-Djson_array_foreach(a,i,v)=for(i=0;(v=json_array_get(a,i));i++)' \
	'-Djson_object_foreach(o,k,v)=for(k=0;(v=json_object_get(o,k));)'
cppcheck: ## cppcheck
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr \
		--suppress=missingInclude --suppress=memleak $(CPPCHECK_KNOW) -D_GNU_SOURCE -I. -Iinclude user
tidy: compile_commands.json $(SKELETONS) ## clang-tidy
	@scripts/lint-tidy $(BUILD)

compile_commands.json: Makefile $(LIB_SOURCES) $(CLI_SOURCES)
	$(call say,GEN,$@)
	@scripts/compile-commands $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -- $(LIB_SOURCES) $(CLI_SOURCES) > $@.tmp && mv $@.tmp $@

# --- install -----------------------------------------------------------------------------------------------
.PHONY: install clean
install: all ## install below $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/weir $(DESTDIR)$(PREFIX)/sbin/weir
	$(foreach page,$(MAN_PAGES),install -D -m 644 $(page) $(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page));)
clean: ## remove what was built
	rm -rf $(BUILD) compile_commands.json

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d')

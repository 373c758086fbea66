# The two commands a newcomer needs are `make demo` and `make test`; each installs what is missing.

SHELL := /bin/bash
PACKAGES := libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev
TEST_PACKAGES := kcat python3 python3-venv
CHAOS_PACKAGES := iproute2 e2fsprogs util-linux mount
VENV := .build/venv
STREAMS_VENV := .build/venv-streams
# Linked into the program, the Swift runtime takes less memory and starts sooner, and Linux hosts need none.
STATIC := $(if $(filter Linux,$(shell uname -s)),--static-swift-stdlib)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: demo test unit-test cluster-test chaos bench bench-micro build deps test-deps chaos-deps clean help

help: ## Say what there is.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: deps ## Build, then watch three brokers replicate, lose their leader, and lose nothing.
	swift build -c release $(STATIC) --product martlet
	.build/release/martlet demo $(ARGS)

test: unit-test cluster-test ## Run every test.

unit-test: deps ## Run the tests that need no other process.
	swift build --build-tests
	swift test --skip-build --parallel --skip SimulationTests
	# By themselves: they keep every core busy for minutes, and tests with sockets have time limits.
	swift test --skip-build --parallel --filter SimulationTests

cluster-test: deps test-deps ## Run real brokers against real clients.
	swift build --product martlet
	$(VENV)/bin/python -m pytest -q Tests/Chaos
	$(VENV)/bin/python -m pytest -q -n 3 --dist loadfile Tests/ClusterTests $(ARGS)

chaos: build test-deps chaos-deps ## Real brokers and clients under faults of processes, networks and disks.
	$(SUDO) $(VENV)/bin/python Tests/Chaos/run.py $(ARGS)

bench: deps ## Measure; ARGS="--list" says what there is.
	python3 Benchmarks/run.py $(ARGS)

bench-micro: deps ## Hold what is done for every batch against its thresholds.
	python3 Benchmarks/micro.py $(ARGS)

build: deps ## Build the release binary, .build/release/martlet.
	swift build -c release $(STATIC) --product martlet

deps:
	@missing=""; for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q $$missing; fi

test-deps: $(VENV)/.installed $(STREAMS_VENV)/.installed
	@missing=""; for p in $(TEST_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q $$missing; fi

chaos-deps:
	@missing=""; for p in $(CHAOS_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q $$missing; fi

$(VENV)/.installed: Tests/ClusterTests/requirements.txt
$(STREAMS_VENV)/.installed: Tests/ClusterTests/requirements-streams.txt
$(VENV)/.installed $(STREAMS_VENV)/.installed:
	python3 -m venv --help >/dev/null 2>&1 || ($(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q python3 python3-venv)
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install -q -r $<
	touch $@

clean: ## Remove everything that was built.
	rm -rf .build

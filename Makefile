# run, test, bench, verify and lint work from a fresh clone: each makes the environment first.
# Needs python3 (3.11 or newer) with pip and venv, g++, make and perl.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := build/run

.PHONY: run test long quick coverage bench networks verify judges formal icarus netlist slices hostile lint-verilog soc soc-checks \
	cells silicon area-points flow bitstream compression comparisons docs screencast lint clean

run: $(VENV)/.installed
	mkdir -p $(OUT)
	$(BIN)/wingrid filter sample:flower -k box -o $(OUT)/box.png
	$(BIN)/wingrid filter sample:flower -k gaussian -o $(OUT)/gaussian.png
	$(BIN)/wingrid filter sample:flower -k sobel-x -o $(OUT)/gradient-x.png
	$(BIN)/wingrid filter sample:flower -k sobel-y -o $(OUT)/gradient-y.png
	$(BIN)/wingrid filter sample:flower -k gaussian --stride 2 -o $(OUT)/half.png
	$(BIN)/wingrid run vgg16 --input sample:flower --json $(OUT)/report.json --csv $(OUT)/report.csv

# Tests compile more than they simulate.
test quick coverage: export OPT_FAST ?= -O1

test: $(VENV)/.tests-installed
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations 40 -m "not long"
	$(BIN)/python -m pytest --nbmake examples

# What takes long and repeats on a larger scale what make test shows.
long: $(VENV)/.tests-installed
	$(BIN)/python -m pytest -m long

# All that uses no Verilator and is not slow: two minutes on two idle cores.
quick: $(VENV)/.tests-installed
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not rtl and not slow and not long"

# The whole suite, and which lines it ran; line by line in build/coverage/index.html.
coverage: $(VENV)/.tests-installed
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term --cov-report=html:build/coverage

bench: $(VENV)/.installed
	$(BIN)/python -m tests.bench.performance
	$(BIN)/python -m tests.bench.onnx_graphs
	$(BIN)/python -m tests.bench.small_networks --rtl
	$(BIN)/python -m tests.bench.fuzz_importer --seconds 120

# Whole networks, each in one memory on the RTL: bits against ONNX Runtime's, time against the timing model's, and how near
# their layers come to their bounds. Some models are fetched.
networks: $(VENV)/.tests-installed
	$(BIN)/python -m tests.bench.public_models
	$(BIN)/python -m tests.bench.utilisation

# More than 1000 random programs, RTL against timing model, all counters and events; a few of the seeds make none.
# SCHEDULER=local takes all cores, SCHEDULER=tcp://host:8786 the workers of a Dask cluster (docs/explore.md).
CASES := 1100
SCHEDULER := here
verify: $(VENV)/.tests-installed
	$(BIN)/python -m tests.bench.timing_cases --cases $(CASES) --scheduler $(SCHEDULER)

# Judges of the Verilog that share nothing with what they judge; the quick part of each but netlist, slices and soc is
# in `make test`. Icarus Verilog and Berkeley ABC come from the distribution (Debian: iverilog, berkeley-abc).
judges: lint-verilog icarus netlist slices formal hostile soc-checks cells

lint-verilog: $(VENV)/.tests-installed
	$(BIN)/python -m pytest tests/judges/lint

icarus: $(VENV)/.tests-installed
	CI=true $(BIN)/python -m pytest tests/judges/icarus

# Minutes each, so no part of the next two is in `make test`, which does not find them by their names.
netlist: $(VENV)/.tests-installed
	CI=true $(BIN)/python -m pytest tests/judges/netlist/whole_layer.py

slices: $(VENV)/.tests-installed
	CI=true $(BIN)/python -m pytest tests/judges/slices/sliced_accelerator.py

# Every part without a bound, and the whole machine for its first CYCLES_PROVED cycles.
CYCLES_PROVED := 45
formal: $(VENV)/.tests-installed
	CI=true $(BIN)/python -m pytest -s tests/judges/formal
	$(BIN)/python -m tests.judges.formal.whole_machine --cycles $(CYCLES_PROVED)

hostile: $(VENV)/.tests-installed
	$(BIN)/python -m tests.judges.hostile.hostile_partner --rounds 1000

# Digits on a whole SoC, of LiteX and VexRiscv, in simulation; the firmware's compiler comes from the distribution (Debian:
# gcc-riscv64-unknown-elf).
soc: $(VENV)/.soc-installed
	$(BIN)/wingrid soc build/soc --network digits --images 2 --config configs/tiny-4x4.toml
	$(BIN)/wingrid soc build/soc --memory litex-wishbone

# The same as a judge of hardware, drivers and timing model, and what it says of a broken image; minutes.
soc-checks: $(VENV)/.tests-installed
	CI=true $(BIN)/python -m pytest tests/judges/soc/whole_soc.py

cells: $(VENV)/.tests-installed
	CI=true $(BIN)/python -m pytest tests/judges/cells/cell_models.py

# A bitstream with digits for a ULX3S, and its netlist simulated until the UART has told the class.
bitstream: $(VENV)/.tests-installed
	$(BIN)/python -m tests.bench.bitstream build/bitstream

# The published compression of VGG-16 beside what its real weights give, which are fetched.
compression: $(VENV)/.tests-installed
	$(BIN)/python -m tests.bench.compression

# The pages that set our figures beside other people's, and Fourier's beside Winograd's.
comparisons: $(VENV)/.tests-installed
	$(BIN)/python -m tests.bench.fidelity
	$(BIN)/python -m tests.bench.gpu
	$(BIN)/python -m tests.bench.fourier

# Area and clock on chips beside what is aimed at; hours, the first time.
silicon: $(VENV)/.tests-installed
	$(BIN)/python -m tests.bench.silicon

# Arrays of many shapes on each family of chips, from which areas of others are predicted; an hour, the first time.
area-points: $(VENV)/.tests-installed
	$(BIN)/python -m tests.bench.area_points

# digits for a board, from fit to routed clock and back through its receipt, and VGG-16 for another; an hour or two.
flow: $(VENV)/.tests-installed
	rm -rf build/flow && mkdir -p build/flow
	$(BIN)/wingrid build digits --target ulx3s -o build/flow/digits-on-ulx3s
	$(BIN)/wingrid check build/flow/digits-on-ulx3s
	$(BIN)/wingrid build vgg16 --target pynq-z2 --clock 100 --no-route -o build/flow/vgg16-on-pynq-z2

# The documents as a site in build/site, with the reference that is generated; what leads nowhere is an error.
docs: $(VENV)/.docs-installed
	$(BIN)/python docs/site_pages.py build/pages
	$(BIN)/zensical build --strict --clean

# What `make run` writes onto a terminal, as docs/make-run.cast and the animated docs/make-run.svg.
screencast: $(VENV)/.installed $(VENV)/.docs-installed
	$(BIN)/python docs/record_screencast.py

lint: $(VENV)/.lint-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clean:
	rm -rf $(VENV) build

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e .
	touch $@

$(VENV)/.soc-installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[soc]'
	touch $@ $(VENV)/.installed

$(VENV)/.docs-installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[docs]'
	touch $@ $(VENV)/.installed

$(VENV)/.tests-installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[test]'
	touch $@ $(VENV)/.installed $(VENV)/.soc-installed $(VENV)/.docs-installed

$(VENV)/.lint-installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[test,lint]'
	touch $@ $(VENV)/.installed $(VENV)/.soc-installed $(VENV)/.docs-installed $(VENV)/.tests-installed

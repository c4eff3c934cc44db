# Two commands: `make demo` opens the workbench with the sample data in it, `make test` runs the tests.
# `make map` rebuilds the point map's bundle after a change of its source, which needs Node 20.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test check format smells map clean

demo: .venv/installed
	$(BIN)/recscope demo

test: .venv/installed
	$(BIN)/pytest

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

smells: .venv/installed
	$(BIN)/ruff check --select C901,PLR0912,PLR0915 --exit-zero

map:
	cd dashboard/map/point_map && npm ci --ignore-scripts --no-audit --no-fund && npm run build

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv

# Two commands: `make demo` opens the workbench with the sample data in it, `make test` runs the tests.
# Tests run on up to four cores, a thread each; those in a browser one after the other, as it takes several.
# `make quick` runs those that are soon told: no browser, nothing slow.
# `make bundles` rebuilds the components' JavaScript after a change of its source, which needs Node 20.
# `make pictures` takes the pictures of the READMEs from the real pages, which needs Chromium.
PYTHON ?= python3
BIN = .venv/bin
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4

.PHONY: demo test quick check format smells bundles pictures clean

demo: .venv/installed
	$(BIN)/recscope demo

test: .venv/installed
	$(PYTEST) --dist loadfile -m 'not browser'
	$(BIN)/pytest tests/browser

quick: .venv/installed
	$(PYTEST) --dist worksteal -m 'not (browser or slow or quality or gpu)'

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

bundles:
	for folder in dashboard/map/point_map dashboard/components/sql/editor; do \
		(cd $$folder && npm ci --ignore-scripts --no-audit --no-fund && npm run build) || exit 1; \
	done

pictures: .venv/installed
	$(BIN)/python -m docs.pictures

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv

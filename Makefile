# make demo = the whole job on synthetic lives; make test = every test, plugins' too. Both build .venv first if needed.
PROJECTS = pyproject.toml synthetic_data/pyproject.toml $(wildcard plugins/*/pyproject.toml)
EDITABLE = -e '.[dev]' -e ./synthetic_data $(patsubst %/pyproject.toml,-e ./%,$(wildcard plugins/*/pyproject.toml))

demo: .venv/ready
	.venv/bin/seqsae demo
test: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/python -m pytest -n 2
.venv/ready: $(PROJECTS)
	python3 -m venv .venv
	.venv/bin/pip install -q $(EDITABLE)
	touch $@
clean:
	rm -rf .venv .venv-bench runs
.PHONY: demo test clean

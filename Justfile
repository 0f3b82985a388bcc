# Everything that CI runs.
ci:
    bash .ci/run

# The inner loop: no real clients.
test:
    cargo test --lib --bins --test integration

# The rules of the dynamic loaders, each compared with the real one.
test-loader-rules:
    cargo test --test loader rules::

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# The figures in docs/performance.md, measured side by side on this machine.
bench:
    cargo build --profile dist
    bash benches/figures.sh target/dist/coracle
    bash benches/registry.sh target/dist/coracle
    bash benches/cargo.sh target/dist/coracle

# Which of some 170 real programs do their job in their images, as root; `just real-programs --install` first.
real-programs *ARGUMENTS:
    cargo build --release
    python3 benches/real_programs.py {{ARGUMENTS}}

# What single steps cost: hashes, headers, codecs, closures, builds that find their work done. `just bench-micro pack`
bench-micro *FILTER:
    cargo bench -p coracle-benches -- {{FILTER}}

# The archive of a release: static programs, manual pages, completions. docs/release.md says more.
release TARGET="x86_64-unknown-linux-musl":
    bash release/build {{TARGET}}

# Whether this can be released; with a tag, as which version.
release-check TAG="":
    bash release/check {{TAG}}

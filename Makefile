# Two commands are all it takes: `make run` and `make test`.

# One binary that needs nothing beside it.
export CGO_ENABLED = 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: jobs bench-jobs bench-market live-aws explore faults faults-aws disasters disasters-nightly help run build test soak replicas bench size fuzz race reference clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

run: build ## build Neap and start it; ARGS="--listen 127.0.0.1:9090" adds flags
	./bin/neap up $(ARGS)

build: ## build ./bin/neap
	go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/neap ./cmd/neap

test: ## install what the tests need, and run every check there is
	@test/all.sh

replicas: ## kill one of two replicas under load, 100 times; RUNS=10 for fewer
	NEAP_REPLICA_RUNS=$(or $(RUNS),100) test/postgres.sh run go test ./test/replicas -count=1 -timeout 90m -v

bench: ## measure speed, each figure beside its yardstick
	go test -run '^$$' -bench . -benchmem ./internal/...
	go run ./test/bench

soak: ## live through a simulated month, and look at memory and database; ARGS="-days 9 -rate 7200" is shorter. Then a million jobs, as under jobs
	go run ./test/soak $(ARGS)
	go run ./test/jobs -jobs 1000000

jobs: ## run 100,000 jobs while Neap is killed and machines are taken back, and judge what is left; ARGS="-jobs 5000" is shorter
	go run ./test/jobs $(ARGS)

bench-jobs: ## measure how many jobs a second, how soon they begin, and in how much memory; ARGS="-jobs 10000" is shorter
	go run ./test/jobs -speed $(ARGS)

size: ## measure 10,000 groups, and the growth from 1,000 to 100,000 instances; ARGS="-database postgres://…" for PostgreSQL
	go run ./test/size -groups 10000 $(ARGS)
	go run ./test/size -growth 100,1000,10000 $(ARGS)

bench-market: ## measure what the market's model is worth, and write docs/market.md; NEAP_TRACES names the recorded traces; ARGS="-quick" is shorter
	test -z "$(NEAP_TRACES)" || NEAP_TRACES=$(abspath $(NEAP_TRACES)) go test -tags traces -count=1 ./internal/lab/trace ./internal/lab/world ./internal/lab/job
	go run ./test/market $(ARGS)

live-aws: ## hold AWS itself to the provider contract, for at most 0.15 USD; NEAP_LIVE_AWS=1 NEAP_LIVE_IMAGE=ami-… and credentials in the environment
	go test -tags live -count=1 -timeout 60m -v -run TestAWSItself ./internal/cloud/aws

fuzz: ## fuzz every decoder for a while; FUZZTIME=1m for longer
	@test/fuzz.sh

explore: ## hold the planner to its properties on cases that were never drawn before
	NEAP_PROPERTIES=explore go test -count=5 -timeout 20m ./internal/fleet/plan

race: ## run the tests under the race detector
	CGO_ENABLED=1 go test -race -timeout 20m ./...

N ?= 1000
disasters: ## rehearse every named bad day, and N=1000 random disasters; SEED=7 begins at another seed
	@test/disasters.sh $(N) $(or $(SEED),1)

faults: ## run a group's life on N=1000 clouds whose calls go wrong, from a seed each; SEED=7 begins at another seed
	nice go test ./test/mishaps -count=1 -parallel 10 -timeout 60m -v -run Whatever -many $(N) -first $(or $(SEED),1)

faults-aws: N = 50
faults-aws: ## run the same on AWS's stand-in, N=50 times; SEED=7 begins at another seed
	nice test/moto.sh run go test ./test/mishaps -count=1 -parallel 4 -timeout 60m -v -run Amazon -amazon $(N) -first $(or $(SEED),1)

disasters-nightly: ## rehearse 10,000 random disasters, from a seed of the day on
	@test/disasters.sh 10000 $$(date +%Y%m%d0000)

reference: ## write docs/cli.md anew from the commands
	go test ./internal/cli -run Reference -update

clean: ## remove what was built
	rm -rf bin

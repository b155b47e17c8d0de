package main

// program is one thing to run.
type program struct {
	// set is what it is used for: the rule is tuned on some, and never on what is held back.
	set string
	// A leak is one that keeps for ever what it needs no more.
	leak bool
	run  func(*world)
}

var programs = map[string]program{
	"ramp-steps":      {"tuned", false, rampSteps},
	"lru":             {"tuned", false, lruFill},
	"ttl":             {"tuned", false, ttlFill},
	"sessions":        {"tuned", false, sessions},
	"warm":            {"tuned", false, warm},
	"index":           {"tuned", false, indexRebuilds},
	"suite":           {"tuned", false, suite},
	"lsm":             {"tuned", false, func(w *world) { w.service(); lsm(w) }},
	"build":           {"tuned", false, buildTool},
	"queue":           {"tuned", false, queue},
	"wave":            {"tuned", false, wave},
	"idle-load":       {"tuned", false, idleLoad},
	"tenants":         {"tuned", false, tenants},
	"leak-plain":      {"tuned", true, leakPlain},
	"leak-noise":      {"tuned", true, leakNoise},
	"leak-warm":       {"tuned", true, leakWarm},
	"leak-ramp":       {"tuned", true, leakRamp},
	"leak-lsm":        {"tuned", true, leakLSM},
	"leak-bursts":     {"tuned", true, leakBursts},
	"leak-goroutines": {"tuned", true, leakGoroutines},

	"load-ramp":       {"load", false, loadRamp},
	"load-stages":     {"load", false, loadStages},
	"load-wave":       {"load", false, loadWave},
	"leak-load-ramp":  {"load", true, leakLoadRamp},
	"leak-load-wave":  {"load", true, leakLoadWave},
	"leak-load-noise": {"load", true, leakLoadNoise},

	"stages":         {"held", false, stages},
	"ramp-line":      {"held", false, rampLine},
	"sessions-heavy": {"held", false, sessionsHeavy},
	"etl":            {"held", false, etl},
	"raft":           {"held", false, raft},
	"tsdb":           {"held", false, tsdb},
	"memo":           {"held", false, memo},
	"buffers":        {"held", false, buffers},
	"crawl":          {"held", false, crawl},
	"leak-fill":      {"held", true, leakFill},
	"leak-late":      {"held", true, leakLate},
	"leak-large":     {"held", true, leakLarge},
	"leak-errors":    {"held", true, leakErrors},
	"leak-wave":      {"held", true, leakWave},

	"clock-cache":     {"fresh", false, clockCache},
	"window-sums":     {"fresh", false, windowSums},
	"ramp-readers":    {"fresh", false, rampReaders},
	"suite-tables":    {"fresh", false, suiteTables},
	"index-terms":     {"fresh", false, indexTerms},
	"warm-interned":   {"fresh", false, warmInterned},
	"leak-fast-map":   {"fresh", true, leakFastMap},
	"leak-fast-hooks": {"fresh", true, leakFastHooks},
	"leak-slow-index": {"fresh", true, leakSlowIndex},
	"leak-slow-batch": {"fresh", true, leakSlowBatch},

	"wheel-ttl":        {"fresh-held", false, wheelTTL},
	"carts":            {"fresh-held", false, carts},
	"ramp-batches":     {"fresh-held", false, rampBatches},
	"suite-cluster":    {"fresh-held", false, suiteCluster},
	"segments":         {"fresh-held", false, segments},
	"replica":          {"fresh-held", false, replica},
	"leak-fast-tails":  {"fresh-held", true, leakFastTails},
	"leak-fast-timers": {"fresh-held", true, leakFastTimers},
	"leak-slow-ttl":    {"fresh-held", true, leakSlowTTL},
	"leak-slow-log":    {"fresh-held", true, leakSlowLog},
}

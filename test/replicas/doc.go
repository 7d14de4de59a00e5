// Package replicas runs several real processes on one PostgreSQL, kills, stops and restarts them under load, and then asks the simulated cloud's own record
// and the API whether anything was doubled, swallowed or lost.
//
// It owns the harness and the judgement. It must not reach into any process: all it uses are signals, HTTP and the databases. Start reading at installation.
package replicas

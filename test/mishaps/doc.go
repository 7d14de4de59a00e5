// Package mishaps runs the engine on clouds whose calls go wrong, from seeds, and then asks the cloud itself whether anything leaked, was launched twice, or got lost.
//
// It owns the runs and their judgement. It must not know any cloud but through a far: the simulated one is only the usual one. Start reading at run.
package mishaps

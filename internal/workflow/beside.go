package workflow

import "context"

// Beside runs work as a part of the engine; its ctx ends when the engine is asked to stop. False, and nothing happens, while the engine does not run.
// For reading ahead on behalf of loops: such work holds no lease, so what it writes must be right from any replica.
func (e *Engine) Beside(work func(ctx context.Context)) bool {
	return e.begin(func() { work(e.beside) })
}

package deadline

import (
	"fmt"
	"strings"
	"time"
)

const (
	shutText  = "no spot pool below the on-demand price is open"
	staysText = "what runs on spot stays there until it is done or lost"
)

func (r *room) netSentence() string {
	return fmt.Sprintf("on demand until it is done: %s are left for %s of work, and a start on spot could be lost", brief(r.left), brief(r.toDo()))
}

func (r *room) startSentence() string {
	return fmt.Sprintf("spot in %s costs %s instead of %s, and %s of work can be expected there before a loss", r.best, r.best.Price, r.m.OnDemand, brief(r.terms.Useful))
}

func (r *room) patientSentence() string {
	return fmt.Sprintf("without checkpoints, waiting for a pool that may last costs nothing: %s are left for %s of work", brief(r.left), brief(r.toDo()))
}

func (r *room) aheadSentence() string {
	return fmt.Sprintf(shutText+", and the job is %s of work ahead of its pace", brief(r.terms.Ahead))
}

func (r *room) behindSentence() string {
	return fmt.Sprintf(shutText+", and the job is %s of work behind its pace", brief(-r.terms.Ahead))
}

func (r *room) moveSentence() string {
	return fmt.Sprintf("a move to %s at %s is worth %s after all it costs", r.best, r.best.Price, r.terms.Moving)
}

func (r *room) leadSentence() string {
	return fmt.Sprintf("the job is %s of work ahead of its pace and can afford a move to %s at %s", brief(r.terms.Ahead), r.best, r.best.Price)
}

func (r *room) stayDemandSentence() string {
	return fmt.Sprintf("a move to %s at %s would cost %s more than it is worth", r.best, r.best.Price, -r.terms.Moving)
}

func (r *room) dearSentence() string {
	own := &r.m.Pools[r.at.Pool]
	return fmt.Sprintf("spot in %s has become dearer than on demand: %s instead of %s", own, own.Price, r.m.OnDemand)
}

func (p *Pool) String() string { return strings.TrimSpace(p.Type + " " + p.Zone) }

// brief is a time to the minute.
func brief(d time.Duration) string {
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Abs().Minutes())%60)
}

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

package job

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/neap-cloud/neap/internal/cli/session"
)

// order is what submit is asked for.
type order struct {
	customer, cloud, region, class  string
	image, ami, instanceType        string
	userData, file, priority, queue string
	key, deadline                   string
	vcpus                           float64
	memory, gpu                     int64
	env, tags                       []string
	timeout, expected               time.Duration
	checkpoint, wait                bool
	many                            int
	each                            []string
}

func (c commands) submit() *cobra.Command {
	var o order
	cmd := &cobra.Command{
		Use:   "submit [flags] [-- COMMAND ...]",
		Short: "Submit a job, or one for each of many",
		Long: "Submit a job, or one for each of many, and print their ids.\n\n" +
			"With --each one job is made for each file, and {} in the command stands for it (a job begins in a folder of its own, so give whole paths); with --many for each number from 1 on. --wait shows how far they are and ends when all of them have: " +
			"with 0 when all have succeeded; else with the exit code of the only job's command (125 for larger ones, 124 when its time was up), or 1. An interrupt ends the waiting, not the jobs.\n\n" +
			"--env NAME without a value takes the variable of this very shell, so that a secret need not be on the command line. What --file describes is what flags add to.",
		Example: "neap job submit --image host --customer lightning --region us-east-1 --wait -- echo hello\n" +
			`neap job submit --image host --customer lightning --region us-east-1 --vcpus 4 --each /srv/in/*.mov -- sh -c 'ffmpeg -nostdin -i "$1" "/srv/out/$(basename "$1").mp4"' encode {}` + "\n" +
			"neap job submit --file job.json --deadline 2h --expected 30m",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.Check(); err != nil {
				return err
			}
			at := cmd.ArgsLenAtDash()
			if at < 0 {
				at = len(args)
			}
			if len(o.each) > 0 { // a shell that expands *.mov leaves all but the first behind the flag
				o.each = append(o.each, args[:at]...)
			} else if at > 0 {
				return c.Usage(fmt.Sprintf("put the job's command behind two dashes: -- %s", strings.Join(args, " ")))
			}
			documents, err := c.documents(cmd, o, args[at:])
			if err != nil {
				return err
			}
			return c.submitAll(cmd, o, documents)
		},
	}
	o.bind(cmd)
	return cmd
}

func (o *order) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.customer, "customer", "", "customer that the job is run for")
	flags.StringVar(&o.cloud, "cloud", "", "aws or azure (default: aws)")
	flags.StringVar(&o.region, "region", "", "region that it is run in")
	flags.StringVar(&o.class, "class", "", "your own label, which many jobs may share (default: the command's name)")
	flags.StringVar(&o.image, "image", "", "what it runs in: host, or an image")
	flags.StringVar(&o.ami, "ami", "", "machine image, for a job that is an instance of its own")
	flags.StringVar(&o.instanceType, "instance-type", "", "of such an instance")
	flags.StringVar(&o.userData, "user-data", "", "file that such an instance reads")
	flags.Float64Var(&o.vcpus, "vcpus", 0, "vCPUs that it needs (default: 1)")
	flags.Int64Var(&o.memory, "memory", 0, "MiB of memory that it needs (default: 2048)")
	flags.Int64Var(&o.gpu, "gpu", 0, "GPUs that it needs")
	flags.StringArrayVar(&o.env, "env", nil, "variable NAME=VALUE, or NAME to take it from here; may be repeated")
	flags.StringArrayVar(&o.tags, "tag", nil, "tag NAME=VALUE; may be repeated")
	flags.StringVar(&o.priority, "priority", "", "HIGH runs on demand, LOW on spot capacity (default: LOW)")
	flags.StringVar(&o.queue, "queue", "", "a named queue, instead of a priority's")
	flags.DurationVar(&o.timeout, "timeout", 0, "how long each attempt may take, e.g. 5m")
	flags.StringVar(&o.deadline, "deadline", "", "when it has to be done: in so long (2h), or at 2026-03-01T12:00:00Z; until it has to begin it waits for cheaper capacity")
	flags.DurationVar(&o.expected, "expected", 0, "how long the work takes, beside a deadline")
	flags.BoolVar(&o.checkpoint, "checkpoint", false, "it keeps its progress in the folder that NEAP_CHECKPOINT_DIR names")
	flags.IntVar(&o.many, "many", 0, "so many of the same; {} in the command is the number")
	flags.StringArrayVar(&o.each, "each", nil, "one for each of these files; {} in the command is the file")
	flags.StringVar(&o.file, "file", "", "file with the job's document, as the API takes it; - is the standard input")
	flags.StringVar(&o.key, "key", "", "the same jobs with the same key are submitted once, however often this is run")
	flags.BoolVar(&o.wait, "wait", false, "wait until all have come to their end")
}

// documents are the jobs as the server takes them.
func (c commands) documents(cmd *cobra.Command, o order, command []string) ([]map[string]any, error) {
	document, err := c.document(cmd, o, command)
	if err != nil {
		return nil, err
	}
	stand, err := c.standIns(o)
	if err != nil {
		return nil, err
	}
	if stand == nil {
		return []map[string]any{document}, nil
	}
	if len(o.each) > 0 && !strings.Contains(strings.Join(command, " "), "{}") {
		return nil, c.Usage("write {} in the command where the file belongs")
	}
	var documents []map[string]any
	for _, in := range stand {
		one := maps.Clone(document)
		if len(command) > 0 {
			words := make([]string, len(command))
			for i, word := range command {
				words[i] = strings.ReplaceAll(word, "{}", in)
			}
			one["command"] = words
		}
		documents = append(documents, one)
	}
	return documents, nil
}

// mostAtOnce bounds what one command line submits.
const mostAtOnce = 100_000

// standIns are what {} stands for in each of the jobs; nil = there is one job.
func (c commands) standIns(o order) (all []string, err error) {
	switch {
	case o.many < 0 || o.many > mostAtOnce:
		return nil, c.Usage(fmt.Sprintf("--many is a number from 1 to %d", mostAtOnce))
	case o.many > 0 && len(o.each) > 0:
		return nil, c.Usage("--many and --each exclude each other")
	}
	for n := range o.many {
		all = append(all, fmt.Sprint(n+1))
	}
	for _, pattern := range o.each {
		if !strings.ContainsAny(pattern, "*?[") {
			all = append(all, pattern)
			continue
		}
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			return nil, c.Usage(fmt.Sprintf("there is no file %s", pattern))
		}
		all = append(all, found...)
	}
	return all, nil
}

// document is what the file holds, with what the flags say.
func (c commands) document(cmd *cobra.Command, o order, command []string) (map[string]any, error) {
	document := map[string]any{}
	if o.file != "" {
		content, err := readFile(cmd, o.file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(content, &document); err != nil {
			return nil, c.Usage(fmt.Sprintf("%s holds no job: %v", o.file, err))
		}
	}
	if o.userData != "" {
		content, err := readFile(cmd, o.userData)
		if err != nil {
			return nil, err
		}
		document["user_data"] = string(content)
	}
	for name, value := range map[string]string{
		"customer": o.customer, "cloud": o.cloud, "region": o.region, "id": o.class, "image": o.image, "ami": o.ami, "priority": strings.ToUpper(o.priority), "queue": o.queue,
	} {
		if value != "" {
			document[name] = value
		}
	}
	if len(command) > 0 {
		document["command"] = command
	}
	if o.checkpoint {
		document["checkpoint"] = true
	}
	for name, d := range map[string]time.Duration{"timeout": o.timeout, "expected": o.expected} {
		if d != 0 {
			document[name] = d.Seconds()
		}
	}
	document["cloud"] = cmp.Or(document["cloud"], any("aws"))
	if document["id"] == nil {
		document["id"] = classOf(document)
	}
	o.resources(document)
	if err := c.pairs(o, document); err != nil {
		return nil, err
	}
	return document, c.deadline(cmd.Context(), o.deadline, document)
}

func readFile(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

// classOf is the name of the program that is run.
func classOf(document map[string]any) string {
	name := ""
	switch command := document["command"].(type) {
	case []string:
		name = command[0]
	case []any:
		if len(command) > 0 {
			name, _ = command[0].(string)
		}
	}
	if name == "" {
		name, _ = document["image"].(string)
	}
	if name = filepath.Base(name); name == "." {
		return "job"
	}
	return name
}

func (o order) resources(document map[string]any) {
	resources := map[string]any{}
	if given, is := document["resources"].(map[string]any); is {
		resources = given
	}
	if o.vcpus != 0 {
		resources["vcpus"] = o.vcpus
	}
	for name, n := range map[string]int64{"memory": o.memory, "gpu": o.gpu} {
		if n != 0 {
			resources[name] = n
		}
	}
	if o.instanceType != "" {
		resources["instance_type"] = o.instanceType
	}
	if len(resources) > 0 {
		document["resources"] = resources
	}
}

// pairs adds variables and tags.
func (c commands) pairs(o order, document map[string]any) error {
	for member, given := range map[string][]string{"env": o.env, "tags": o.tags} {
		all, is := document[member].(map[string]any)
		if !is {
			all = map[string]any{}
		}
		for _, one := range given {
			name, value, has := strings.Cut(one, "=")
			if !has && member == "env" {
				if value = c.Variable(name); value == "" {
					return c.Usage(fmt.Sprintf("there is no variable %s here to take", name))
				}
			} else if !has {
				return c.Usage(fmt.Sprintf("write the tag %s as NAME=VALUE", name))
			}
			all[name] = value
		}
		if len(all) > 0 {
			document[member] = all
		}
	}
	return nil
}

// deadline is told in the server's time.
func (c commands) deadline(ctx context.Context, text string, document map[string]any) error {
	if text == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		in, err := time.ParseDuration(text)
		if err != nil || in <= 0 {
			return c.Usage(fmt.Sprintf("--deadline %s is neither a time to come such as 2h nor a moment such as 2026-03-01T12:00:00Z", text))
		}
		at = c.Now(ctx).Add(in)
	}
	document["deadline"] = at.UnixMilli()
	return nil
}

// submitters is how many requests are under way at a time.
const submitters = 8

// submitAll submits jobs in their order, prints what became of them, and waits if it is to. The first refusal ends it; what was submitted before is told.
func (c commands) submitAll(cmd *cobra.Command, o order, documents []map[string]any) error {
	made, failed := c.send(cmd.Context(), o.key, documents)
	raws := []json.RawMessage{}
	var ids []string
	for _, m := range made {
		if m.raw != nil {
			raws, ids = append(raws, m.raw), append(ids, m.ID)
		}
	}
	raw, err := json.Marshal(raws)
	if err != nil {
		return err
	}
	if len(documents) == 1 && len(raws) == 1 {
		raw = raws[0]
	}
	if len(ids) > 0 || failed == nil {
		err = c.Print(cmd, session.Page{Raw: raw, Text: func(w io.Writer, _ bool) error {
			_, err := io.WriteString(w, strings.Join(ids, "\n")+"\n")
			return err
		}})
	}
	if failed != nil && len(ids) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d jobs were submitted.\n", len(ids), len(documents))
	}
	if failed != nil || err != nil {
		return cmp.Or(failed, err)
	}
	if !o.wait {
		return nil
	}
	return c.await(cmd, made)
}

// sent is a job as the server answered; raw is nil when it did not.
type sent struct {
	view
	raw json.RawMessage
}

func (c commands) send(ctx context.Context, key string, documents []map[string]any) (made []sent, failed error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	made = make([]sent, len(documents))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(submitters, len(documents)) {
		workers.Go(func() {
			for n := range next {
				q := session.Question{Method: http.MethodPost, Path: collection, Body: documents[n], Key: key}
				if key != "" && len(documents) > 1 {
					q.Key = fmt.Sprintf("%s-%d", key, n+1)
				}
				j, raw, err := session.Ask[view](ctx, c, q)
				if made[n] = (sent{j, raw}); err != nil {
					made[n].raw = nil
					stop(err)
				}
			}
		})
	}
	for n := range documents {
		select {
		case next <- n:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	return made, context.Cause(ctx)
}

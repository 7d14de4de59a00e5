package settings

import (
	"net"
	"net/netip"

	"github.com/spf13/pflag"
)

// Jobs is how jobs are run.
type Jobs struct {
	VCPUs     float64 // of this machine that container jobs may use all together; 0 = all
	MemoryMiB int64   // 0 = three quarters of it
	User      string  // whom they run as; "" = somebody of their own for each
	Images    string  // a folder of images; "" = none
	Docker    string  // the socket of a Docker Engine; "" = none
	Network   string  // of its containers; "" = Docker's default
	// The queues of AWS Batch for jobs that name none.
	SpotQueue, OnDemandQueue string
	host                     bool
}

func (j *Jobs) bind(flags *pflag.FlagSet) {
	flags.Float64Var(&j.VCPUs, "job-vcpus", 0, "vCPUs of this machine that container jobs may use all together (default: all)")
	flags.Int64Var(&j.MemoryMiB, "job-memory", 0, "MiB of this machine's memory that they may use (default: three quarters)")
	flags.BoolVar(&j.host, "host-jobs", true, `let jobs run commands of this machine, with the image "host"; never while others than this machine can reach Neap`)
	flags.StringVar(&j.User, "job-user", "", "user of this machine that jobs run as (default: one of their own for each if Neap is root, else Neap's own)")
	flags.StringVar(&j.Images, "job-images", "", "folder with root filesystems and OCI archives that jobs may name as images")
	flags.StringVar(&j.Docker, "docker", "", "socket of a Docker Engine that runs images of registries: /run/docker.sock (default: none)")
	flags.StringVar(&j.Network, "docker-network", "", "Docker network that jobs' containers are on, or none (default: Docker's own)")
	flags.StringVar(&j.SpotQueue, "batch-spot-queue", "neap-spot", "AWS Batch queue of LOW jobs that name none")
	flags.StringVar(&j.OnDemandQueue, "batch-on-demand-queue", "neap-on-demand", "AWS Batch queue of HIGH jobs that name none")
}

// HostJobs reports whether jobs may run commands of this machine itself: only while nobody else can reach Neap.
func (c *Up) HostJobs() bool {
	return c.Jobs.host && c.PublicURL == "" && isLoopback(c.Listen) && (c.LaunchListen == "" || isLoopback(c.LaunchListen))
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.Unmap().IsLoopback()
}

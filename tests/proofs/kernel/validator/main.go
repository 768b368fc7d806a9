// What kubeadm's preflight check SystemVerification says of the machine that this runs on, or with the argument "kernel" of its
// kernel's configuration alone. The exit status is 1 for an error, and for a warning that a configuration can avoid.
package main

import (
	"fmt"
	"os"
	"strings"

	system "k8s.io/system-validators/validators"
)

func main() {
	validators := []system.Validator{&system.KernelValidator{Reporter: system.DefaultReporter}}
	if len(os.Args) == 1 {
		validators = append(validators, &system.CgroupsValidator{Reporter: system.DefaultReporter})
	}
	warnings, errors := system.Validate(system.DefaultSysSpec, validators)
	bad := len(errors) > 0
	for _, err := range errors {
		fmt.Println("ERROR:", err)
	}
	for _, warning := range warnings {
		fmt.Println("WARNING:", warning)
		// AUFS was never in Linux itself; kubeadm looks for it all the same.
		bad = bad || !strings.Contains(warning.Error(), "CONFIG_AUFS_FS")
	}
	if bad {
		os.Exit(1)
	}
	fmt.Println("the system validator has nothing to say against it")
}

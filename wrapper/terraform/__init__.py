"""One terraform run: arguments, files, init, workspace, the guard, and the command itself.

The caller (`wrapper.run.terraform`) goes through these stages; each is one function:

    location.component_name   a component given by its path -> its name
    steps.refuse              what metadata forbids (abstract, locked)
    steps.prepare             component + environment -> Steps, nothing happens yet
    running.show              Steps -> the text of `--dry-run`
    guard.check               is the state where it was at the last run?
    running.carry_out         Steps -> files, init, workspace, then Terraform itself
    commands.generate, .clean the sub-commands that never reach Terraform

`steps.prepare` takes the complete environment: the shell's, the `env` sections, the identity.
"""

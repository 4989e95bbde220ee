/* A completion script for bash, made from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "command.h"

int run_completion(struct invocation *invocation)
{
    (void)invocation;
    puts("# otpring completion; use: source <(otpring completion)");
    puts("_otpring() {\n    local word=${COMP_WORDS[COMP_CWORD]} words");
    puts("    case ${COMP_WORDS[COMP_CWORD-1]} in");
    for (const char *const *group = (const char *const[]){"token", "profile", "outbox", NULL}; *group; group++) {
        size_t length = strlen(*group);
        printf("        %s) words=\"", *group);
        for (const struct command *command = commands; command->words; command++)
            if (strncmp(command->words, *group, length) == 0 && command->words[length] == ' ')
                printf("%s ", command->words + length + 1);
        puts("\" ;;");
    }
    fputs("        *) words=\"", stdout);
    for (const struct command *command = commands; command->words; command++)
        if (!strchr(command->words, ' ')) printf("%s ", command->words);
    puts("token profile outbox --store --help --version --json --company --user\" ;;\n    esac");
    puts("    [ \"${COMP_WORDS[COMP_CWORD-1]}\" = --store ] && { compopt -o dirnames; return; }");
    puts(
        "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\ncomplete -o default -F _otpring otpring");
    return EXIT_DONE;
}

# bash completion of ftp-users(8), by bash-completion from this file's name.
_ftp_users() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="list show folders add edit del passwd lock unlock keys import export about instructions check repair hash-plaintext one-home --help"
    elif [ "$previous" = --protocol ]; then
        words="ftps sftp both"
    elif [ "$previous" = --access ]; then
        words="read_write read_only upload_only"
    elif [ "$previous" = --format ]; then
        words="csv colon pairs"
    elif [ "$previous" = --key ] || { [ "$verb" = import ] && [[ $current != -* ]]; }; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    elif [[ $current == -* ]]; then
        words="--help --json"
        case $verb in
            list) words+=" --protocol --names" ;;
            add) words+=" --password-stdin --hash-stdin --generate --no-password --protocol --locked --key --access --umask --ftps-max-rate --comment --expires --allowed-sources --quota --quota-files" ;;
            edit) words+=" --password-stdin --hash-stdin --generate --protocol --key --access --umask --ftps-max-rate --comment --expires --allowed-sources --quota --quota-files" ;;
            passwd) words+=" --password-stdin --hash-stdin --generate" ;;
            del) words+=" --remove-home" ;;
            import) words+=" --format --allow-weak-hashes --dry-run --yes" ;;
            export) words+=" --hashes" ;;
            one-home) words+=" --dry-run" ;;
        esac
    elif [ "$verb" = keys ] && [ "$COMP_CWORD" -eq 3 ]; then
        words="list add del"
    elif [ "$verb" = keys ] && [ "$COMP_CWORD" -eq 4 ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    elif [ "$COMP_CWORD" -eq 2 ]; then
        case $verb in
            # Only root can read who there is; for others there is nothing to complete.
            show | instructions | edit | del | passwd | lock | unlock | keys) words=$("${COMP_WORDS[0]}" list --names 2>/dev/null) ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _ftp_users ftp-users

# fish completion of tensorpath. The candidates come from the tool itself (`tensorpath __complete`),
# so they are those of the version that is installed, its data included.

function __tensorpath_candidates
    set -l current (commandline -ct)
    set -l words (commandline -opc)
    for line in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path $current
            case ':directories'
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end

complete -c tensorpath -f -a '(__tensorpath_candidates)'

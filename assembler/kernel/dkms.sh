# Builds the modules of a source as dkms(8) 3.2 does on Debian: bash dkms.sh RELEASE MACHINE JOBS
#
# In the working directory: `source`, which is used up, and lib/modules/RELEASE/build, what the kernel's own modules are
# built against. The modules come into `made`. What cannot be built is said in lines of standard error that begin with
# "dkms: ", and is in the exit status: 3 for a source that is not for this kernel, 1 for all else.
set -f
kernelver=$1 arch=$2 jobs=$3
top=$PWD
dkms_tree=$top/tree source_tree=$top/src
kernel_source_dir=$top/lib/modules/$kernelver/build
kernel_config=$kernel_source_dir/.config

# Each text that is said here ends this.
stop() {
    local status=$1 text
    shift
    for text; do
        echo "dkms: $text" >&2
    done
    exit "$status"
}

# Whether version $1 is older than $2.
older() {
    [[ $1 != "$2" && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]
}

# Takes the module $1, which is to be called $2 and is not stripped when $3 says so.
built() {
    [[ ! -e made/$2.ko ]] || stop 1 "two modules are called $2.ko"
    cp "$1" "made/$2.ko" || stop 1 "$2.ko cannot be read"
    [[ ${3:-y} == [nN]* ]] || "${CROSS_COMPILE}strip" -g "made/$2.ko" || stop 1 "$2.ko is no module"
}

mkdir made || exit
if [[ ! -e source/dkms.conf ]]; then
    make -j"$jobs" -C "$kernel_source_dir" M="$top/source" modules || exit 1
    set +f
    shopt -s globstar nullglob
    for file in source/**/*.ko; do
        name=${file##*/}
        built "$file" "${name%.ko}"
    done
    exit 0
fi

variables="BUILD_DEPENDS BUILD_EXCLUSIVE_ARCH BUILD_EXCLUSIVE_CONFIG BUILD_EXCLUSIVE_KERNEL BUILD_EXCLUSIVE_KERNEL_MAX
    BUILD_EXCLUSIVE_KERNEL_MIN BUILT_MODULE_LOCATION BUILT_MODULE_NAME DEST_MODULE_NAME MAKE MAKE_MATCH OBSOLETE_BY
    PACKAGE_NAME PACKAGE_VERSION PATCH PATCH_MATCH POST_BUILD PRE_BUILD STRIP"

# What the file says. As dkms does it reads what comes out once more, so that quotes in values count.
said() {
    local variable index value
    . "$1" >/dev/null
    for variable in $variables; do
        declare -n array=$variable
        for index in "${!array[@]}"; do
            value=${array[index]%$'\r'}
            echo "${variable}[$index]=\"" $value "\""
        done
        declare +n array
    done
}

# The file may use its name and version before it says them itself.
module=$(sed -n 's/^PACKAGE_NAME=["'\'']\{0,1\}\([^"'\'' ]*\).*/\1/p' source/dkms.conf | head -n 1)
module_version=$(sed -n 's/^PACKAGE_VERSION=["'\'']\{0,1\}\([^"'\'' ]*\).*/\1/p' source/dkms.conf | head -n 1)
(said source/dkms.conf) >said || stop 1 "dkms.conf cannot be read"
unset $variables
. ./said
for variable in $variables; do
    declare -n array=$variable
    for index in "${!array[@]}"; do
        value=${array[index]# }
        array[index]=${value% }
    done
    declare +n array
done
rm said
module=$PACKAGE_NAME module_version=$PACKAGE_VERSION
[[ $PACKAGE_NAME && $PACKAGE_VERSION ]] || stop 1 "dkms.conf says no PACKAGE_NAME or no PACKAGE_VERSION"
[[ $PACKAGE_NAME/$PACKAGE_VERSION != *..* && $PACKAGE_NAME$PACKAGE_VERSION != */* ]] ||
    stop 1 "dkms.conf has an odd PACKAGE_NAME or PACKAGE_VERSION"

BUILD_EXCLUSIVE_KERNEL_MAX=${BUILD_EXCLUSIVE_KERNEL_MAX:-$OBSOLETE_BY}
[[ ! $BUILD_EXCLUSIVE_KERNEL || $kernelver =~ $BUILD_EXCLUSIVE_KERNEL ]] ||
    stop 3 "it is for kernels that match $BUILD_EXCLUSIVE_KERNEL"
[[ ! $BUILD_EXCLUSIVE_KERNEL_MIN ]] || ! older "$kernelver" "$BUILD_EXCLUSIVE_KERNEL_MIN" ||
    stop 3 "it is for Linux $BUILD_EXCLUSIVE_KERNEL_MIN and newer"
[[ ! $BUILD_EXCLUSIVE_KERNEL_MAX ]] || ! older "$BUILD_EXCLUSIVE_KERNEL_MAX" "$kernelver" ||
    stop 3 "it is for Linux $BUILD_EXCLUSIVE_KERNEL_MAX and older"
[[ ! $BUILD_EXCLUSIVE_ARCH || $arch =~ $BUILD_EXCLUSIVE_ARCH ]] || stop 3 "it is for machines that match $BUILD_EXCLUSIVE_ARCH"
for symbol in $BUILD_EXCLUSIVE_CONFIG; do
    case $symbol in
    !*) ! grep -q "^${symbol#!}=[ym]" "$kernel_config" || stop 3 "it is for kernels without ${symbol#!}" ;;
    *) grep -q "^$symbol=[ym]" "$kernel_config" || stop 3 "it is for kernels with $symbol" ;;
    esac
done
[[ ! ${BUILD_DEPENDS[*]} ]] || stop 3 "it needs the modules of ${BUILD_DEPENDS[*]}, and each is built by itself here"

most=-1
for index in "${!BUILT_MODULE_NAME[@]}" "${!BUILT_MODULE_LOCATION[@]}" "${!DEST_MODULE_NAME[@]}"; do
    ((index <= most)) || most=$index
done
((most >= 0)) || most=0
[[ $most != 0 || ${BUILT_MODULE_NAME[0]} ]] || BUILT_MODULE_NAME[0]=$PACKAGE_NAME

MAKE_COMMAND=
[[ ${MAKE_MATCH[0]} ]] || MAKE_COMMAND=${MAKE[0]}
for index in "${!MAKE[@]}"; do
    [[ ! ${MAKE_MATCH[index]} || ! $kernelver =~ ${MAKE_MATCH[index]} ]] || MAKE_COMMAND=${MAKE[index]}
done

here=$dkms_tree/$module/$module_version
mkdir -p "$here" "$source_tree" || exit
mv source "$here/build" || exit
ln -s build "$here/source"
ln -s "$here/build" "$source_tree/$module-$module_version"
: "${MAKE_COMMAND:=make -C $kernel_source_dir M=$here/build}"
CC=$(sed -n 's|^CONFIG_CC_VERSION_TEXT="*\([^" ]*\) .*|\1|p' "$kernel_config")
KERNEL_CC=$CC
export CC KERNEL_CC
cd "$here/build" || exit

for index in "${!PATCH[@]}"; do
    [[ ! ${PATCH_MATCH[index]} || $kernelver =~ ${PATCH_MATCH[index]} ]] || continue
    patch -p1 <"patches/${PATCH[index]}" || stop 1 "the patch ${PATCH[index]} does not apply"
done
[[ ! $PRE_BUILD ]] || (set +f; eval "./$PRE_BUILD") || stop 1 "PRE_BUILD failed: ${PRE_BUILD%% *}"
(set +f; eval "${MAKE_COMMAND/#make/make -j$jobs KERNELRELEASE=$kernelver}") || stop 1 "MAKE failed: $MAKE_COMMAND"
cd "$top" || exit
for ((index = 0; index <= most; index++)); do
    [[ ${BUILT_MODULE_NAME[index]} ]] || continue
    location=${BUILT_MODULE_LOCATION[index]%/}
    file=$here/build/${location:+$location/}${BUILT_MODULE_NAME[index]}.ko
    [[ -f $file ]] || stop 1 "it made no ${file#"$here/build/"}"
    built "$file" "${DEST_MODULE_NAME[index]:-${BUILT_MODULE_NAME[index]}}" "${STRIP[index]:-${STRIP[0]}}"
done
